import type {RequestInfo} from './resolve.ts';

/** What policy sees of a request: RequestInfo and what the query and headers add. */
export interface Operation extends RequestInfo {
  /** Upper-case HTTP method as received. */
  readonly method: string;
  /** The raw request target as received: path and query, undecoded. This is what is forwarded. */
  readonly requestURI: string;
  /** Raw query without "?"; "" where there is none. */
  readonly query: string;
  readonly dryRun: boolean;
  readonly command: readonly string[];
  readonly container: string;
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly userAgent: string;
  readonly sourceIP: string;
}
