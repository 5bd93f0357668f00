/** The certificates that a configuration names, as the gateway and the installer's tools use them. */
import type { TlsTexts } from './collector-http.js';
import type { AgentConfig } from './config.js';
import { readTextFile } from './secret-file.js';

/** For the broker. @throws GtxError CONFIG_INVALID, KEY_FILE_PERMISSIONS for the files of `mqtt` */
export function brokerTls({ mqtt }: Pick<AgentConfig, 'mqtt'>): TlsTexts {
  const { ca_file, cert_file, key_file } = mqtt;
  return {
    ...(ca_file === undefined ? {} : { ca: readTextFile(ca_file, false) }),
    ...(cert_file === undefined ? {} : { cert: readTextFile(cert_file, false) }),
    ...(key_file === undefined ? {} : { key: readTextFile(key_file, true) }),
  };
}

/**
 * For `collector_url`: an authority of its own where one is named, else as for the broker.
 * @throws GtxError as `brokerTls`
 */
export function collectorTls(config: Pick<AgentConfig, 'mqtt' | 'collector_ca_file'>): TlsTexts {
  const { collector_ca_file: caFile } = config;
  return { ...brokerTls(config), ...(caFile === undefined ? {} : { ca: readTextFile(caFile, false) }) };
}
