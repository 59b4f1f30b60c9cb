import { getSystemErrorName } from 'node:util';
import { isInstrumented, isTcpHandle, type Stream, type TcpHandle, type WriteRequest } from '../seams.ts';

type WriteRequestClass = new () => WriteRequest;

/** The TCP handle beneath a stream, or null where the stream has more to do with a write than to pass it on. */
export function tcpHandleOf(stream: Stream): TcpHandle | null {
  const handle = stream._handle;
  const isPlain = !stream.timeout && stream.listenerCount('drain') === 0;
  return isPlain && isTcpHandle(handle) ? handle : null;
}

/**
 * Writes to the TCP handle beneath a net.Socket, which spares the stream's bookkeeping for each write. Only
 * for a stream with nothing buffered; what the kernel does not take at once the handle finishes, in order.
 */
export class DirectWriter {
  #Request: WriteRequestClass | null = null;
  #request: WriteRequest | null = null;

  /** Runs a write of the stream above the handle, and the first time sees which class Node's requests are of. */
  learnFrom(handle: TcpHandle | null, writeToStream: () => void): void {
    if (this.#Request !== null || handle === null || isInstrumented(handle, 'writeBuffer')) {
      writeToStream();
      return;
    }
    const { writeBuffer } = handle;
    handle.writeBuffer = (request, bytes) => {
      if (isWriteRequestClass(request.constructor)) this.#Request = request.constructor;
      return writeBuffer.call(handle, request, bytes);
    };
    try {
      writeToStream();
    } finally {
      Reflect.deleteProperty(handle, 'writeBuffer');
    }
  }

  /** Returns the request where the rest is yet to be written: it calls `onWritten` when that is done. */
  write(handle: TcpHandle, bytes: Buffer): 'written' | 'failed' | WriteRequest {
    const request = this.#request ?? this.#createRequest();
    if (request === null || handle.writeBuffer(request, bytes) !== 0) return 'failed';
    if (handle.writeQueueSize === 0) return 'written';
    // The handle keeps this request and its bytes; one that was written at once is used again.
    this.#request = null;
    request.bytes = bytes;
    return request;
  }

  #createRequest(): WriteRequest | null {
    if (this.#Request === null) return null;
    this.#request = new this.#Request();
    this.#request.oncomplete = onComplete;
    return this.#request;
  }
}

function isWriteRequestClass(value: unknown): value is WriteRequestClass {
  return typeof value === 'function' && value.name === 'WriteWrap';
}

function onComplete(this: WriteRequest, status: number): void {
  this.onWritten?.(status < 0 ? createWriteError(status) : null);
}

function createWriteError(errno: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' });
}
