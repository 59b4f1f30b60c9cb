import { Encoder } from 'socket.io-parser';

/** An answer that is JSON already: what very many are told alike is encoded once. It holds no binary data. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ACK = 3;

type Packet = Parameters<Encoder['encode']>[0];

/** The encoder of socket.io, which also takes an ack whose one argument is `Json`. */
export class AnswerEncoder extends Encoder {
  override encode(packet: Packet): ReturnType<Encoder['encode']> {
    const answer: unknown = packet.type === ACK ? packet.data?.[0] : undefined;
    if (!(answer instanceof Json)) return super.encode(packet);
    const { type, nsp, id } = packet;
    const [head] = super.encode({ type, nsp, ...(id !== undefined && { id }) });
    return [`${head}[${answer.text}]`];
  }
}
