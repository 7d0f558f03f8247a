export type AuthenticationErrorCode =
  | 'NoToken'
  | 'TwoTokens'
  | 'MalformedToken'
  | 'UnknownIssuer'
  | 'AlgorithmNotAllowed'
  | 'NoExpiry'
  | 'NoIssueTime'
  | 'Expired'
  | 'NotYetValid'
  | 'LifetimeTooLong'
  | 'UnknownKey'
  | 'BadSignature'
  | 'WrongAudience'
  | 'ClaimRefused'
  | 'IdentityRefused';

/** The caller did not prove who they are. Answered with 401; the message is for the agent and never holds the token. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  readonly code: AuthenticationErrorCode;

  constructor(code: AuthenticationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Nobody can tell who the caller is, as the issuer's keys cannot be had. Answered with 503. */
export class AuthenticationUnavailable extends Error {
  override readonly name = 'AuthenticationUnavailable';
  readonly code = 'IssuerUnavailable';
}

/** An AuthenticationConfiguration that cannot be used, with every problem found. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly code = 'InvalidAuthenticationConfiguration';
  /** Each names the field, what is wrong and what would be right. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(`invalid AuthenticationConfiguration: ${problems.join('; ')}`, options);
    this.problems = problems;
  }
}
