/** A device in one word of the command line: `eastron-sdm630,/dev/ttyUSB0,unit=1,baud=9600,parity=none`. */
import type { AgentConfigInput } from '@gridtokenx/agent';

export type DeviceInput = AgentConfigInput['meters'][number]['devices'][number];
type Connection = DeviceInput['connection'];

export const DEVICE_SYNTAX =
  'profile,place[,unit=1][,baud=9600][,parity=none|even|odd][,stop=1|2]; place is /dev/..., tcp://host[:port] or rtu+tcp://host:port';

const PARITIES = ['none', 'even', 'odd'] as const;

/** @throws Error in words when it is not of that form */
export function parseDevice(text: string, role: DeviceInput['role']): DeviceInput {
  const [profile = '', place = '', ...settings] = text.split(',').map((part) => part.trim());
  if (!/^[a-z0-9-]+$/.test(profile) || place === '') throw new Error(`It looks like ${DEVICE_SYNTAX}.`);
  let unit = 1;
  const serial: { baud_rate?: number; parity?: (typeof PARITIES)[number]; stop_bits?: 1 | 2 } = {};
  for (const setting of settings) {
    const [name, value = ''] = setting.split('=');
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (name === 'unit' && number <= 255) unit = number;
    else if (name === 'baud' && number > 0) serial.baud_rate = number;
    else if (name === 'parity' && (PARITIES as readonly string[]).includes(value))
      serial.parity = value as (typeof PARITIES)[number];
    else if (name === 'stop' && (number === 1 || number === 2)) serial.stop_bits = number;
    else throw new Error(`"${setting}" is not understood. It looks like ${DEVICE_SYNTAX}.`);
  }
  return { role, profile, unit, connection: parsePlace(place, serial) };
}

function parsePlace(place: string, serial: object): Connection {
  const url = /^(tcp|rtu\+tcp):\/\/(.+)$/.exec(place);
  if (url === null) {
    if (!place.startsWith('/'))
      throw new Error(`The place "${place}" is none. It looks like ${DEVICE_SYNTAX}.`);
    return { type: 'rtu', path: place, ...serial };
  }
  if (Object.keys(serial).length > 0) throw new Error('baud, parity and stop belong to a serial port.');
  const [, scheme, address = ''] = url;
  const { host, port } = parseAddress(address, scheme === 'tcp' ? 502 : undefined);
  return scheme === 'tcp' ? { type: 'tcp', host, port } : { type: 'rtu_over_tcp', host, port };
}

/** `host:port`, `[::1]:port`, or only the host where there is a usual port. @throws Error in words */
export function parseAddress(text: string, usualPort?: number): { host: string; port: number } {
  const parts = /^(\[[0-9a-fA-F:]+\]|[^:/\s]+)(?::(\d{1,5}))?$/.exec(text);
  const host = parts?.[1]?.replace(/^\[|\]$/g, '');
  const port = parts?.[2] === undefined ? usualPort : Number(parts[2]);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) {
    throw new Error(`"${text}" is not host:port.`);
  }
  return { host, port };
}

/** The same word from a connection, as `parseDevice` reads it. */
export function deviceText(profile: string, unit: number, connection: Connection): string {
  if (connection.type === 'rtu') {
    return [
      profile,
      connection.path,
      `unit=${unit}`,
      ...(connection.baud_rate === undefined ? [] : [`baud=${connection.baud_rate}`]),
      ...(connection.parity === undefined ? [] : [`parity=${connection.parity}`]),
      ...(connection.stop_bits === undefined ? [] : [`stop=${connection.stop_bits}`]),
    ].join(',');
  }
  const host = connection.host.includes(':') ? `[${connection.host}]` : connection.host;
  const scheme = connection.type === 'tcp' ? 'tcp' : 'rtu+tcp';
  return `${profile},${scheme}://${host}:${connection.port ?? 502},unit=${unit}`;
}
