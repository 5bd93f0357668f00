import { useState } from 'preact/hooks';
import { short } from '../format.js';
import { Problem } from '../parts/frame.js';
import { useWork } from '../parts/work.js';
import { hrefOf } from '../routes.js';
import { signer } from '../session.js';
import { TextError, t } from '../text/index.js';
import { build, carryOut, type Step } from '../trade.js';
import type { BuiltTransaction } from '../types.js';

/** A transaction on its way: checked by the collector, signed by the wallet, confirmed by the chain. */
export interface Action {
  readonly busy: boolean;
  readonly step: Step | undefined;
  readonly signature: string | undefined;
  readonly error: Error | undefined;
  prepare(body: Record<string, unknown>, then: (built: BuiltTransaction) => void): Promise<void>;
  carryOut(built: BuiltTransaction, done: () => void): Promise<void>;
  /** What was checked is not what is wanted any more. */
  forget(): void;
}

export function useTransaction(): Action {
  const { busy, error, run, clear } = useWork();
  const [step, setStep] = useState<Step>();
  const [signature, setSignature] = useState<string>();
  return {
    busy,
    // How far it has come is no matter once it has failed.
    step: error ? undefined : step,
    signature,
    error,
    forget: () => {
      setStep(undefined);
      setSignature(undefined);
      clear();
    },
    prepare: (body, then) =>
      run(async () => {
        setSignature(undefined);
        setStep(undefined);
        const built = await build(body);
        setStep('built');
        then(built);
      }),
    carryOut: (built, done) =>
      run(async () => {
        setStep('built');
        if (!signer.value) throw new TextError('wallet.sign');
        await carryOut(built, signer.value, (next, sent) => {
          setStep(next);
          setSignature(sent);
        });
        done();
      }),
  };
}

export function Outcome({ action: { step, signature, error } }: { action: Action }) {
  return (
    <>
      {error && <Problem error={error} />}
      <p role="status" class="outcome">
        {step !== undefined && t(`step.${step}`)}{' '}
        {signature !== undefined && (
          <a href={hrefOf('live', signature)}>
            <code title={signature}>{short(signature)}</code>
          </a>
        )}
      </p>
    </>
  );
}
