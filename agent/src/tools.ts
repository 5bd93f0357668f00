/** What an installer's commands need beside the gateway itself; loaded only by them (see `installerTools`). */

export {
  type BackupContent,
  gatherBackup,
  loadBackup,
  placeKeys,
  saveBackup,
} from './backup.js';
export { LEAST_PASSPHRASE, refuseExistingBackup } from './backup-file.js';
export { folderOf, placeFilesOf, placeProfiles, restoredFiles } from './backup-files.js';
export { type ChainMeter, meterAccountAddress, REGISTRY_PROGRAM, readChainMeter } from './chain-meter.js';
export { readNtpStatus, SOFTWARE_EPOCH_MS } from './clock.js';
export { profileLibrary } from './config.js';
export { ensureKeyFile, syncFolder, writeSecretFile } from './create-key.js';
export { DeviceReader } from './measure.js';
export { lineKey, ModbusLine } from './modbus-line.js';
export { type PortHolder, portHolder } from './port-holder.js';
export { type ReadingFilter, readSequence, readStore, type StoredReading } from './read-store.js';
export { RESTORE_STEP, type Restored, restorePoint, restoreStore } from './restore.js';
export * from './scan.js';
export { readPasswordFile, readTextFile } from './secret-file.js';
export { brokerTls, collectorTls } from './tls-files.js';
