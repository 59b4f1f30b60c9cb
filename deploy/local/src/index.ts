export type { LocalBoard } from './board.ts';
export type { TokenRequest } from './credentials.ts';
export type { GatewayNode } from './gateway-nodes.ts';
export type { LogLine } from './log-lines.ts';
export { type NginxConfigOptions, writeNginxConfig } from './nginx-config.ts';
export { PortError } from './public-port.ts';
export { type Single, type SingleOptions, startSingle } from './single/single.ts';
export { type Stack, type StackOptions, startStack } from './stack.ts';
