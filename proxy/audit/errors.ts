/**
 * A line is not durable: the call it stands for must be refused (503). Nothing says that its bytes are not in the file,
 * only that nobody may rely on them.
 */
export class AuditUnavailable extends Error {
  override readonly name = 'AuditUnavailable';
  readonly code = 'AuditUnavailable';
}

/** The log cannot be opened; the message says what to do about it. */
export class AuditLogError extends Error {
  override readonly name = 'AuditLogError';
  readonly code: 'AuditLogLocked' | 'AuditLogDamaged' | 'AuditLogUnusable' | 'AuditOriginInvalid';

  constructor(code: AuditLogError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
