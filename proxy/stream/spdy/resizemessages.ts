/** `{"Width":120,"Height":40}` and a line feed; whatever is longer is none. */
const maximumBytes = 1024;

/**
 * Finds the messages of a resize stream, which are JSON objects one behind the other (client-go puts a line feed
 * between them), in frames that may cut them anywhere. The objects are flat, so each ends at its first brace.
 */
export class ResizeMessages {
  #begun = Buffer.alloc(0);

  push(bytes: Buffer, message: (json: Buffer) => void): void {
    let rest = Buffer.concat([this.#begun, bytes]);
    for (let end = rest.indexOf('}'); end >= 0; end = rest.indexOf('}')) {
      const json = rest.subarray(0, end + 1);
      if (json.length <= maximumBytes) message(json.subarray(Math.max(json.indexOf('{'), 0)));
      rest = rest.subarray(end + 1);
    }
    this.#begun = rest.length > maximumBytes ? Buffer.alloc(0) : Buffer.from(rest);
  }
}
