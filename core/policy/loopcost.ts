import {stepFunction} from './celfunctions.ts';
import type {Expr} from './staticcheck.ts';

/**
 * Puts a charge for the steps of each loop before them, the only way in which an expression takes longer than it is
 * long, and gives the cost of running the expression once without repeating any.
 */
export function meterSteps(expr: Expr): number {
  const kind = expr.exprKind;
  let cost = 1;
  for (const child of children(expr)) {
    cost += meterSteps(child);
  }
  if (kind.case === 'comprehensionExpr') {
    const fold = kind.value;
    const units = [fold.loopCondition, fold.loopStep].reduce((sum, part) => sum + size(part), 1);
    fold.loopCondition &&= stepCall(expr.id, units, fold.loopCondition);
  }
  return cost;
}

function size(expr: Expr | undefined): number {
  return expr === undefined ? 0 : children(expr).reduce((sum, child) => sum + size(child), 1);
}

function stepCall(id: bigint, units: number, condition: Expr): Expr {
  const count: Expr = {
    $typeName: 'cel.expr.Expr',
    id,
    exprKind: {
      case: 'constExpr',
      value: {$typeName: 'cel.expr.Constant', constantKind: {case: 'int64Value', value: BigInt(units)}},
    },
  };
  return {
    $typeName: 'cel.expr.Expr',
    id,
    exprKind: {
      case: 'callExpr',
      value: {$typeName: 'cel.expr.Expr.Call', function: stepFunction, args: [count, condition]},
    },
  };
}

function children(expr: Expr): Expr[] {
  const kind = expr.exprKind;
  switch (kind.case) {
    case 'selectExpr':
      return given(kind.value.operand);
    case 'callExpr':
      return given(kind.value.target, ...kind.value.args);
    case 'listExpr':
      return kind.value.elements;
    case 'structExpr':
      return kind.value.entries.flatMap((entry) =>
        given(entry.keyKind.case === 'mapKey' ? entry.keyKind.value : undefined, entry.value),
      );
    case 'comprehensionExpr': {
      const {iterRange, accuInit, loopCondition, loopStep, result} = kind.value;
      return given(iterRange, accuInit, loopCondition, loopStep, result);
    }
    default:
      return [];
  }
}

function given(...exprs: (Expr | undefined)[]): Expr[] {
  return exprs.filter((expr) => expr !== undefined);
}
