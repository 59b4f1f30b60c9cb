/** What the reader of the terminal is told of a started cluster. */
export interface Started {
  url: string;
  token: string;
  apiKey: string;
  nodes: readonly { id: string; url: string; pid: number }[];
  /** Where the example product is, if it runs. */
  boardUrl?: string | undefined;
}

/** The first line to try: publishes to `public:lobby`. */
const publishLine = ({ url, apiKey }: Started): string =>
  `curl -sS ${url}/v1/publish -H 'authorization: Bearer ${apiKey}' -H 'content-type: application/json' -d '{"room":"public:lobby","event":"greeting:sent","data":{"text":"Hello from curl"}}'`;

/** The second line to try: a stock client in `public:lobby` that prints all it hears. */
const listenLine = ({ url, token }: Started): string =>
  `node --input-type=module -e 'import { io } from "socket.io-client"; const socket = io("${url}", { auth: { token: "${token}" } }); socket.onAny((...event) => console.log(...event)); socket.on("connect_error", (error) => console.error(error.message)); socket.on("connect", () => socket.emit("room:join", { room: "public:lobby" }, (answer) => console.log("joined", answer)))'`;

/** One line: `{url, token, apiKey, nodes: [{id, url, pid}]}`. */
export const jsonAnnouncement = ({ url, token, apiKey, nodes, boardUrl }: Started): string =>
  JSON.stringify({
    url,
    token,
    apiKey,
    nodes: nodes.map(({ id, url, pid }) => ({ id, url, pid })),
    boardUrl,
  });

const SINGLE_NOTICE = `
This is one node without Redis and nginx: its worker processes share rooms on this machine alone, nothing is
logged, and what is published reaches only who is connected at that moment.
`;

const boardLine = ({ boardUrl }: Started): string =>
  boardUrl === undefined ? '' : `\nBoard     ${boardUrl}  (an example product, up in some seconds)`;

export const announcement = (started: Started, { single }: { single: boolean }): string => `
Fanfare is running at ${started.url}
${single ? SINGLE_NOTICE : ''}${boardLine(started)}
Console   ${started.url}/#token=${started.token}
API       ${started.url}/docs
API key   ${started.apiKey}
Token     ${started.token}
Nodes     ${started.nodes.map(({ id, url, pid }) => `${id}  ${url}  (process ${pid})`).join('\n          ')}

Listen in a second shell, in this folder:

${listenLine(started)}

Publish in a third:

${publishLine(started)}

Ctrl-C stops everything.
`;
