import type { VNode } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../text/index.js';

/** As long as the collector takes one. */
const LONGEST_REASON = 500;

interface Question {
  readonly title: string;
  readonly note: string;
  /** What the button that goes on says. */
  readonly go: string;
}

interface Asked {
  readonly number: number;
  readonly question: Question;
  readonly answer: (reason: string | undefined) => void;
}

let questions = 0;

/**
 * Asks for a reason before something that is kept for good.
 * @returns `ask`: the reason, or undefined when the reader thinks better of it; `dialog`: to be put on the page
 */
export function useReason(): {
  ask: (question: Question) => Promise<string | undefined>;
  dialog: VNode | null;
} {
  const [asked, setAsked] = useState<Asked>();
  const ask = (question: Question) =>
    new Promise<string | undefined>((resolve) => {
      const asking: Asked = {
        number: ++questions,
        question,
        answer: (reason) => {
          setAsked((now) => (now === asking ? undefined : now));
          resolve(reason);
        },
      };
      setAsked(asking);
    });
  // A dialog tells of its end later than it closes, and the next question may be asked between the two: each has its own.
  const dialog = asked ? <ReasonDialog key={asked.number} {...asked.question} answer={asked.answer} /> : null;
  return { ask, dialog };
}

function ReasonDialog({
  title,
  note,
  go,
  answer,
}: Question & { answer: (reason: string | undefined) => void }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const given = reason.trim();
  const chosen = useRef<string | undefined>(undefined);
  // The browser keeps the keyboard within, closes on Escape, and gives the focus back. Before anything is painted:
  // a key that follows at once is already the reason's first letter.
  useLayoutEffect(() => {
    dialog.current?.showModal();
    // Whoever has asked is answered, even if the page is left.
    return () => answer(chosen.current);
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-note`}
      onClose={() => answer(chosen.current)}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (given === '') return;
          chosen.current = given;
          dialog.current?.close();
        }}
      >
        <h2 id={`${id}-title`}>{title}</h2>
        <p id={`${id}-note`} class="note">
          {note}
        </p>
        <div class="field">
          <label for={`${id}-reason`}>{t('dialog.reason')}</label>
          <textarea
            id={`${id}-reason`}
            rows={3}
            maxLength={LONGEST_REASON}
            required
            autoFocus
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </div>
        <div class="tools">
          <button type="submit" class="main" disabled={given === ''}>
            {go}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            {t('dialog.leave')}
          </button>
        </div>
      </form>
    </dialog>
  );
}
