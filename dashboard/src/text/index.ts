import { signal } from '@preact/signals';
import { en, type Texts } from './en.js';
import { th } from './th.js';

export const LANGUAGES = { en, th } as const satisfies Record<string, Texts>;
export type Language = keyof typeof LANGUAGES;

const STORED = 'gtx.language';

function initial(): Language {
  const stored = globalThis.localStorage?.getItem(STORED);
  if (stored === 'en' || stored === 'th') return stored;
  return globalThis.navigator?.language?.startsWith('th') ? 'th' : 'en';
}

export const language = signal<Language>(initial());

export function setLanguage(name: Language): void {
  language.value = name;
  globalThis.localStorage?.setItem(STORED, name);
  document.documentElement.lang = name;
}

/** A text in the reader's language; `{name}` stands for a value. */
export function t(key: keyof Texts, values: Record<string, string | number> = {}): string {
  const text = LANGUAGES[language.value][key];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** An error that is said in the language of whoever reads it, whenever that is. */
export class TextError extends Error {
  constructor(readonly key: keyof Texts) {
    super(en[key]);
  }
}
