import type {Expression} from './expression.ts';

/** An AuthenticationConfiguration (`apiserver.config.k8s.io/v1` or `v1beta1`), every expression compiled. */
export interface AuthenticationConfiguration {
  readonly jwt: readonly JWTAuthenticator[];
}

export interface JWTAuthenticator {
  readonly issuer: Issuer;
  readonly requiredClaims: readonly {readonly claim: string; readonly value: string}[];
  /** Over `claims`; each must give true. */
  readonly claimRules: readonly ValidationRule[];
  readonly mappings: ClaimMappings;
  /** Over `user`; each must give true. */
  readonly userRules: readonly ValidationRule[];
}

export interface Issuer {
  /** Equal to the tokens' `iss`. */
  readonly url: string;
  readonly discoveryURL: string | undefined;
  /** PEM; the system's authorities where absent. */
  readonly certificateAuthority: string | undefined;
  /** A token must name one of them. */
  readonly audiences: readonly string[];
}

export interface ValidationRule {
  readonly expression: Expression;
  readonly message: string;
}

export type ClaimMappings =
  | {
      readonly kind: 'OIDC';
      readonly username: PrefixedClaim | MappingExpression;
      readonly groups: PrefixedClaim | MappingExpression | undefined;
      readonly uid: {readonly kind: 'Claim'; readonly claim: string} | MappingExpression | undefined;
      readonly extra: readonly {readonly key: string; readonly expression: Expression}[];
    }
  /** Tokens of the cluster's own issuer: `sub` is the name of a ServiceAccount, as it is. */
  | {readonly kind: 'ServiceAccount'};

export interface PrefixedClaim {
  readonly kind: 'Claim';
  readonly claim: string;
  readonly prefix: string;
}

export interface MappingExpression {
  readonly kind: 'Expression';
  readonly expression: Expression;
}
