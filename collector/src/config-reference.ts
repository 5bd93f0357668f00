import { flagOf, SETTINGS } from './config.js';

/** The table of settings in docs/collector.md. */
export function settingsReference(): string {
  const rows = Object.values(SETTINGS).map((setting) => {
    const parsed = setting.schema.safeParse(undefined);
    const value = parsed.success
      ? parsed.data === undefined
        ? ''
        : `\`${String(parsed.data)}\``
      : 'required';
    const secret =
      'secret' in setting && setting.secret ? ` Also from the file in \`${setting.env}_FILE\`.` : '';
    return `| \`${setting.env}\` | \`${flagOf(setting.env)}\` | ${value} | ${setting.doc}${secret} |`;
  });
  return ['| variable | flag name | default | what |', '|---|---|---|---|', ...rows, ''].join('\n');
}
