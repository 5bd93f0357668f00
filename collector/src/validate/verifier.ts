/**
 * Verifying many signatures without holding up the event loop: half of what a busy collector does. Few at a
 * time are verified at once, in place; many go to a thread of their own, in order.
 */
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { isSigned, type SignedPart } from './signature.js';

const WORKER = new URL('../../assets/verify-worker.mjs', import.meta.url);
/** As the worker unpacks them: message, signature, public key. */
const ENTRY_BYTES = 48 + 64 + 32;
/** Fewer than this are done before a thread could have been told of them. */
const LEAST_FOR_THREAD = 16;

interface Job {
  submissions: readonly SignedPart[];
  resolve: (verdicts: boolean[]) => void;
}

/** Strict Ed25519 verification (see `verifySignature`) of batches; the thread is started by the first large one. */
export class SignatureVerifier {
  private worker: Worker | undefined;
  /** On their way to the thread, oldest first: it answers in order. */
  private jobs: Job[] = [];

  constructor(private readonly logger: Logger) {}

  /** Verdicts in the order of the submissions. Calls are answered in their order, if they are large. */
  async verify(submissions: readonly SignedPart[]): Promise<boolean[]> {
    if (submissions.length < LEAST_FOR_THREAD) return submissions.map(isSigned);
    const worker = this.worker ?? this.startWorker();
    return new Promise((resolve) => {
      this.jobs.push({ submissions, resolve });
      const packed = pack(submissions);
      worker.postMessage(packed, [packed.buffer]);
    });
  }

  /** Ends the thread. What it still had to do is verified here. */
  async stop(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    worker?.removeAllListeners();
    await worker?.terminate();
    this.finishHere();
  }

  private startWorker(): Worker {
    const worker = new Worker(WORKER, { execArgv: [] });
    this.worker = worker;
    worker.on('message', (verdicts: Uint8Array) => {
      this.jobs.shift()?.resolve(Array.from(verdicts, (verdict) => verdict === 1));
    });
    worker.on('error', (error) => this.lost(error));
    worker.on('exit', (code) => this.lost(new Error(`the thread ended with code ${code}`)));
    // Waiting for work keeps nobody from ending.
    worker.unref();
    return worker;
  }

  /** The thread is gone: its work is done here, and the next large batch starts another. */
  private lost(error: Error): void {
    this.logger.error({ err: error }, 'the verifying thread ended; its signatures are verified without it');
    this.worker?.removeAllListeners();
    this.worker = undefined;
    this.finishHere();
  }

  private finishHere(): void {
    const { jobs } = this;
    this.jobs = [];
    for (const { submissions, resolve } of jobs) resolve(submissions.map(isSigned));
  }
}

function pack(submissions: readonly SignedPart[]): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(submissions.length * ENTRY_BYTES);
  let at = 0;
  for (const { message, signatureBytes, publicKeyBytes } of submissions) {
    packed.set(message, at);
    packed.set(signatureBytes, at + 48);
    packed.set(publicKeyBytes, at + 112);
    at += ENTRY_BYTES;
  }
  return packed;
}
