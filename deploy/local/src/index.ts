export { type Credentials, createCredentials, type TokenRequest } from './credentials.ts';
export type { LogLine } from './process/log-lines.ts';
export { PortError } from './process/public-port.ts';
export { type Single, type SingleOptions, startSingle } from './single/single.ts';
export type { LocalBoard } from './stack/board.ts';
export type { GatewayNode } from './stack/gateway-nodes.ts';
export { type NginxConfigOptions, writeNginxConfig } from './stack/nginx-config.ts';
export { type Stack, type StackOptions, startStack } from './stack/stack.ts';
