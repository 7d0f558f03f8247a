import type {IncomingMessage} from 'node:http';
import type {ResponseController, ResponseHandler} from '../forward/transport.ts';

/** Gives an answer that is no upgrade to a handler, as a transport does with any other answer. */
export function deliver(response: IncomingMessage, handler: ResponseHandler): void {
  const controller: ResponseController = {
    abort: (reason) => {
      response.destroy(reason);
    },
    pause: () => {
      response.pause();
    },
    resume: () => {
      response.resume();
    },
  };
  handler.onRequestStart(controller);
  response.on('error', (error) => handler.onResponseError(controller, error));
  response.once('end', () => handler.onResponseEnd());
  response.once('aborted', () => handler.onResponseError(controller, new Error('the API server cut its answer')));
  handler.onResponseStart(controller, response.statusCode ?? 0, response.headers);
  response.on('data', (chunk: Buffer) => handler.onResponseData(controller, chunk));
}
