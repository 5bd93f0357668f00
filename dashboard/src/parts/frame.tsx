import type { ComponentChildren } from 'preact';
import { useId, useMemo } from 'preact/hooks';
import { inWords } from '../problem.js';
import { language, t } from '../text/index.js';

/** A titled part of a page. */
export function Card({
  title,
  note,
  children,
  wide,
  place,
}: {
  title: string;
  note?: string;
  children: ComponentChildren;
  wide?: boolean;
  /** Its place on a page that is laid out by areas. */
  place?: string;
}) {
  const id = useId();
  return (
    <section class={['card', wide && 'wide', place].filter(Boolean).join(' ')} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {note && <p class="note">{note}</p>}
      {children}
    </section>
  );
}

export function Loading() {
  return (
    <p class="quiet" role="status">
      {t('state.loading')}
    </p>
  );
}

export function Empty({ children }: { children?: ComponentChildren }) {
  return <p class="quiet">{children ?? t('state.empty')}</p>;
}

/** What went wrong, in words, and a way to try again. */
export function Problem({ error, again }: { error: Error; again?: () => void }) {
  const { text, original } = inWords(error);
  return (
    <div class="problem" role="alert">
      <p>{text}</p>
      {original !== undefined && (
        <details>
          <summary>{t('error.original')}</summary>
          <p lang="en">{original}</p>
        </details>
      )}
      {again && (
        <button type="button" onClick={again}>
          {t('state.again')}
        </button>
      )}
    </div>
  );
}

/** A button that cannot be pressed for now. It keeps the focus meanwhile: a disabled one loses the keyboard's place. */
export function Button({
  off = false,
  press,
  label,
  title,
  children,
}: {
  off?: boolean;
  press: () => void;
  /** Its name, where it shows only a sign. */
  label?: string;
  title?: string | undefined;
  children: ComponentChildren;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={title}
      aria-disabled={off}
      onClick={() => !off && press()}
    >
      {children}
    </button>
  );
}

/** What a figure is about: its color is also that of the plot's line. */
export type Tone = 'produced' | 'consumed' | 'surplus';

/** A figure with its name and unit. */
export function Figure({
  name,
  value,
  unit,
  tone,
  words,
}: {
  name: string;
  value: string;
  unit?: string | undefined;
  tone?: Tone;
  /** It is no number: shown as text is. */
  words?: boolean;
}) {
  return (
    <div class={['figure', tone, words && 'words'].filter(Boolean).join(' ')}>
      <span class="name">{name}</span>
      <span class="value">
        {value}
        {unit && <span class="unit"> {unit}</span>}
      </span>
    </div>
  );
}

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => ComponentChildren;
  readonly number?: boolean;
}

/** Columns of a table, made once for each language. @param of what else the cells are made from, besides the row */
export function useColumns<Row>(
  make: () => readonly Column<Row>[],
  ...of: readonly unknown[]
): readonly Column<Row>[] {
  return useMemo(make, [language.value, ...of]);
}

/**
 * A table that scrolls sideways by itself where there is little room. Rows that are the same objects as before, in the same columns,
 * are not drawn again.
 */
export function Table<Row>({
  label,
  columns,
  rows,
  rowKey,
  busy = false,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** Other rows are on their way. */
  busy?: boolean;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section class="scroll" aria-label={label} aria-busy={busy} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ name, number }) => (
              <th key={name} scope="col" class={number ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TableRow key={rowKey(row)} row={row} columns={columns} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function TableRow<Row>({ row, columns }: { row: Row; columns: readonly Column<Row>[] }) {
  // Whoever reads a signal is drawn again only for that, or for something else to show (@preact/signals).
  void language.value;
  return (
    <tr>
      {columns.map(({ name, cell, number }) => (
        <td key={name} class={number ? 'number' : undefined}>
          {cell(row)}
        </td>
      ))}
    </tr>
  );
}

/** One of the facts of a `<dl>`. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
