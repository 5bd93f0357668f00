/** Every text of the page. `{name}` stands for a value. */
export const en = {
  'app.name': 'gridtokenx',
  'nav.label': 'Pages',
  'nav.live': 'Live',
  'nav.market': 'Market',
  'nav.home': 'My home',
  'nav.operator': 'Operator',
  'nav.skip': 'Skip to content',
  'nav.language': 'Language',
  'link.up': 'Live',
  'link.down': 'No connection to the collector. What is shown may be old; it is tried again by itself.',
  'link.connecting': 'Connecting',
  'state.loading': 'Loading',
  'state.empty': 'Nothing here yet.',
  'state.again': 'Try again',
  'error.unreachable': 'The collector does not answer. Check the connection, then try again.',
} as const satisfies Record<string, string>;

export type Texts = Record<keyof typeof en, string>;
