import type {IncomingHttpHeaders} from 'node:http';
import type {Readable} from 'node:stream';
import type {Dispatcher} from 'undici';

/** A call on its way to the API server. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query as received. */
  readonly path: string;
  /** Flat name, value array. */
  readonly headers: string[];
  readonly body: Buffer | Readable | undefined;
}

/**
 * undici's handler; of its controller, what the relay needs and any transport can give. A chunk is the handler's during
 * the call only: it may change it, and must copy what it keeps.
 */
export interface ResponseHandler {
  onRequestStart(controller: ResponseController): void;
  onResponseStart(controller: ResponseController, statusCode: number, headers: IncomingHttpHeaders): void;
  /** The bytes are the transport's again when it returns. */
  onResponseData(controller: ResponseController, chunk: Buffer): void;
  onResponseEnd(): void;
  onResponseError(controller: ResponseController, error: Error): void;
}

export type ResponseController = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>;

/** The API server says that it did nothing with the call, which may therefore be sent again. */
export class NotTaken extends Error {
  override readonly name = 'NotTaken';
  readonly code = 'NotTaken';
}

export interface Transport {
  /** Sends; everything that comes of it, errors included, goes to the handler. */
  send(request: UpstreamRequest, handler: ResponseHandler): void;
  close(): Promise<void>;
}

/** Where the API server is and how the proxy proves itself there. */
export interface UpstreamTarget {
  /** `https://host:port`. */
  readonly origin: string;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly servername?: string;
  };
}
