export {
  ConfigError,
  commaList,
  type Env,
  flag,
  parseEnv,
  portConflicts,
  type SettingRow,
  secret,
  settingRows,
  wholeNumber,
} from './config.ts';
export { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';
export { createRegistry, metricsText, registerReadiness } from './metrics.ts';
export { createOpsServer, listenOn, type OpsServer } from './ops-server.ts';
export { runMain, type Service, StartError } from './run-service.ts';
export { Secret } from './secret.ts';
export { createSummary } from './summary.ts';
