import {parseDocument} from 'yaml';
import type {AuthenticationConfiguration, JWTAuthenticator, ValidationRule} from './configuration.ts';
import {ConfigurationError} from './errors.ts';
import {Fields, Problems} from './fields.ts';
import {readIssuer} from './issuer.ts';
import {readExpression, readMappings} from './mappings.ts';

const apiVersions: readonly string[] = ['apiserver.config.k8s.io/v1', 'apiserver.config.k8s.io/v1beta1'];
const maximumAuthenticators = 64;

/**
 * Reads an AuthenticationConfiguration: the file format and the rules of kube-apiserver (KEP-3331), and Lockkeeper's
 * own. Usernames are prefixed with `agent:` where no prefix is given, and an empty prefix is refused; anonymous
 * requests cannot be enabled; one issuer may be the cluster's own, and only its tokens name ServiceAccounts.
 *
 * @param text YAML or JSON
 * @param serviceAccountIssuer the URL of the cluster's own issuer, where ServiceAccounts may be agents
 * @throws {ConfigurationError} with every problem found
 */
export function parseConfiguration(
  text: string,
  serviceAccountIssuer: string | undefined,
): AuthenticationConfiguration {
  const document = parseDocument(text, {uniqueKeys: true, prettyErrors: true});
  if (document.errors.length > 0) {
    throw new ConfigurationError(document.errors.map(({message}) => `not valid YAML: ${message}`));
  }
  const problems = new Problems();
  const root = new Fields(toJSON(document), '', ['apiVersion', 'kind', 'jwt', 'anonymous'], problems);
  readHeader(root);
  const jwt = root.mappings('jwt', ['issuer', 'claimValidationRules', 'claimMappings', 'userValidationRules']);
  if (jwt.length === 0) root.problem('jwt', 'must list at least one issuer, or nobody can authenticate');
  if (jwt.length > maximumAuthenticators) root.problem('jwt', `must list at most ${maximumAuthenticators} issuers`);
  const authenticators = jwt.map((fields) => readAuthenticator(fields, serviceAccountIssuer));
  refuseDuplicates(jwt, authenticators);
  if (serviceAccountIssuer !== undefined && !authenticators.some(({issuer}) => issuer.url === serviceAccountIssuer)) {
    root.problem('jwt', `must list the cluster's own issuer ${serviceAccountIssuer}, which the proxy was started with`);
  }
  if (problems.all.length > 0) throw new ConfigurationError(problems.all);
  return {jwt: authenticators};
}

/** Aliases are expanded within the library's bound; past it the document is refused. */
function toJSON(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigurationError(['not valid YAML: too many aliases'], {cause});
  }
}

function readHeader(root: Fields): void {
  const apiVersion = root.requiredText('apiVersion', apiVersions[0] ?? '');
  if (apiVersion !== '' && !apiVersions.includes(apiVersion)) {
    root.problem('apiVersion', `must be ${apiVersions.join(' or ')}, not ${apiVersion}`);
  }
  const kind = root.requiredText('kind', 'AuthenticationConfiguration');
  if (kind !== '' && kind !== 'AuthenticationConfiguration') {
    root.problem('kind', `must be AuthenticationConfiguration, not ${kind}`);
  }
  const anonymous = root.mapping('anonymous', ['enabled', 'conditions']);
  if (anonymous !== undefined && anonymous.flag('enabled') !== false) {
    anonymous.problem('enabled', 'must be false: every agent has a name here');
  }
  if (anonymous?.has('conditions')) anonymous.problem('conditions', 'must be left out where enabled is false');
}

function readAuthenticator(fields: Fields, serviceAccountIssuer: string | undefined): JWTAuthenticator {
  const issuer = readIssuer(fields);
  const isServiceAccountIssuer = serviceAccountIssuer !== undefined && issuer.url === serviceAccountIssuer;
  const {requiredClaims, claimRules} = readClaimRules(fields);
  const mappings = readMappings(fields, isServiceAccountIssuer, claimRules);
  return {issuer, requiredClaims, claimRules, mappings, userRules: readUserRules(fields)};
}

function readClaimRules(fields: Fields): Pick<JWTAuthenticator, 'requiredClaims' | 'claimRules'> {
  const requiredClaims: {claim: string; value: string}[] = [];
  const claimRules: ValidationRule[] = [];
  const seen = new Set<string>();
  for (const rule of fields.mappings('claimValidationRules', ['claim', 'requiredValue', 'expression', 'message'])) {
    const claim = rule.text('claim') ?? '';
    const source = rule.text('expression') ?? '';
    if ((claim === '') === (source === '')) {
      rule.problem('', claim === '' ? 'claim or expression is required' : 'claim and expression cannot both be set');
      continue;
    }
    const name = claim === '' ? 'expression' : 'claim';
    const other = claim === '' ? 'requiredValue' : 'message';
    if (rule.has(other)) rule.problem(other, `cannot be set beside ${name}`);
    if (seen.has(`${name} ${claim}${source}`)) rule.problem(name, 'is there twice; keep one');
    seen.add(`${name} ${claim}${source}`);
    if (claim !== '') {
      requiredClaims.push({claim, value: rule.text('requiredValue') ?? ''});
      continue;
    }
    const expression = readExpression(rule, 'expression', 'claims', ['bool']);
    if (expression !== undefined) claimRules.push({expression, message: rule.text('message') ?? ''});
  }
  return {requiredClaims, claimRules};
}

function readUserRules(fields: Fields): readonly ValidationRule[] {
  const rules: ValidationRule[] = [];
  const seen = new Set<string>();
  for (const rule of fields.mappings('userValidationRules', ['expression', 'message'])) {
    const source = rule.requiredText('expression', "!user.username.startsWith('agent:admin')");
    if (source === '') continue;
    if (seen.has(source)) rule.problem('expression', 'is there twice; keep one');
    seen.add(source);
    const expression = readExpression(rule, 'expression', 'user', ['bool']);
    if (expression !== undefined) rules.push({expression, message: rule.text('message') ?? ''});
  }
  return rules;
}

function refuseDuplicates(jwt: readonly Fields[], authenticators: readonly JWTAuthenticator[]): void {
  const urls = new Set<string>();
  const discoveryURLs = new Set<string>();
  authenticators.forEach(({issuer}, index) => {
    if (issuer.url !== '' && urls.has(issuer.url)) jwt[index]?.problem('issuer.url', `${issuer.url} is there twice`);
    urls.add(issuer.url);
    if (issuer.discoveryURL === undefined) return;
    if (discoveryURLs.has(issuer.discoveryURL)) {
      jwt[index]?.problem('issuer.discoveryURL', `${issuer.discoveryURL} is there twice`);
    }
    discoveryURLs.add(issuer.discoveryURL);
  });
}
