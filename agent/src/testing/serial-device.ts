/** A device on a pseudo-terminal that answers in order, but late where a test wants it. Needs socat. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { crc16 } from '../modbus-frames.js';
import { until } from './home.js';

export class SerialDevice {
  /** While true, each answer is kept until the next question is on the line: always one behind. */
  lagging: (frame: Buffer) => boolean = () => false;
  /** Bytes put on the line before each answer. */
  noise: Uint8Array = new Uint8Array();
  /** Sends each request back first, as half-duplex adapters do. */
  echo = false;
  requests = 0;
  private child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  private received = Buffer.alloc(0);
  private readonly outgoing: Buffer[] = [];

  /** @param valueAt content of the register at an address */
  constructor(
    readonly link: string,
    private readonly valueAt: (unit: number, address: number) => number,
  ) {}

  async start(): Promise<void> {
    const child = spawn('socat', [`pty,raw,echo=0,link=${this.link}`, '-'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.child = child;
    child.stdout.on('data', (bytes: Buffer) => this.take(bytes));
    child.stdin.on('error', () => undefined);
    await until('the pseudo-terminal', () => existsSync(this.link));
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
  }

  private take(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    while (this.received.length >= 8) {
      const frame = this.received.subarray(0, 8);
      this.received = this.received.subarray(8);
      this.requests++;
      if (this.echo) this.child?.stdin.write(frame);
      const answer = this.answer(frame);
      this.outgoing.push(Buffer.concat([this.noise, answer]));
      const kept = this.lagging(frame) ? 1 : 0;
      for (const due of this.outgoing.splice(0, this.outgoing.length - kept)) this.child?.stdin.write(due);
    }
  }

  private answer(frame: Buffer): Buffer {
    const [unit, code, start, count] = [
      frame[0] as number,
      frame[1] as number,
      frame.readUInt16BE(2),
      frame.readUInt16BE(4),
    ];
    const body = Buffer.alloc(3 + count * 2);
    body.set([unit, code, count * 2]);
    for (let index = 0; index < count; index++)
      body.writeUInt16BE(this.valueAt(unit, start + index), 3 + index * 2);
    const crc = Buffer.alloc(2);
    crc.writeUInt16LE(crc16(body));
    return Buffer.concat([body, crc]);
  }
}
