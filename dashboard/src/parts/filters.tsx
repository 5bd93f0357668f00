import { useEffect, useId, useState } from 'preact/hooks';
import { t } from '../text/index.js';

/** A person types on for about so long. */
const TYPING_MS = 300;

/** What is searched for, once nobody types any more. @param first what is searched for at the beginning */
export function useSearch(first = ''): { text: string; setText: (text: string) => void; search: string } {
  const [text, setText] = useState(first);
  const [search, setSearch] = useState(first);
  useEffect(() => {
    const timer = setTimeout(() => setSearch(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return { text, setText, search };
}

/** A field to search with. @param flaw id of the text that says what is wrong */
export function SearchField({
  label,
  text,
  setText,
  wrong,
  flaw,
}: {
  label: string;
  text: string;
  setText: (text: string) => void;
  wrong: boolean;
  flaw: string;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="search"
        autoComplete="off"
        value={text}
        aria-invalid={wrong}
        aria-describedby={flaw}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </div>
  );
}

/** What is wrong with a search, told as soon as it is. */
export function SearchFlaw({ id, wrong }: { id: string; wrong: boolean }) {
  return (
    <p id={id} class="flaw" role="status">
      {wrong && t('fleet.search.wrong')}
    </p>
  );
}

/** A choice among some things, or all of them, which is the empty value. */
export function SelectField<Name extends string>({
  label,
  all,
  value,
  setValue,
  names,
  nameOf,
}: {
  label: string;
  /** What stands for no choice. */
  all: string;
  value: string;
  setValue: (value: string) => void;
  names: readonly Name[];
  nameOf: (name: Name) => string;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => setValue(event.currentTarget.value)}>
        <option value="">{all}</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {nameOf(name)}
          </option>
        ))}
      </select>
    </div>
  );
}
