import { AppError } from '@fanfare/protocol';
import { Encoder } from 'socket.io-parser';

/** An answer that is JSON already: what very many are told alike is encoded once. It holds no binary data. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ACK = 3;
const CONNECT_ERROR = 4;

/** All that socket.io 4.8.4 says of a namespace that it does not have. */
const INVALID_NAMESPACE = 'Invalid namespace';
const NO_NAMESPACE = {
  message: INVALID_NAMESPACE,
  data: new AppError('not_found', INVALID_NAMESPACE).toWire(),
};

type Packet = Parameters<Encoder['encode']>[0];

/**
 * The encoder of socket.io, which also takes an ack whose one argument is `Json`, and gives the refusal of a namespace that
 * there is not the `data` that every other one has.
 */
export class AnswerEncoder extends Encoder {
  override encode(packet: Packet): ReturnType<Encoder['encode']> {
    if (packet.type === CONNECT_ERROR && packet.data?.message === INVALID_NAMESPACE)
      return super.encode({ ...packet, data: NO_NAMESPACE });
    const answer: unknown = packet.type === ACK ? packet.data?.[0] : undefined;
    if (!(answer instanceof Json)) return super.encode(packet);
    const { type, nsp, id } = packet;
    const [head] = super.encode({ type, nsp, ...(id !== undefined && { id }) });
    return [`${head}[${answer.text}]`];
  }
}
