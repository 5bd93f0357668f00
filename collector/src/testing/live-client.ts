import {
  type LiveAnswer,
  type LiveChange,
  type LiveEnd,
  LiveFrame,
  type LiveRefusal,
  type LiveRequest,
  type LiveSnapshot,
} from '@gridtokenx/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './collector.js';

type Body<T> = T extends unknown ? Omit<T, 'id'> : never;

/** A client of `/ws` that keeps all frames, for tests. */
export class TestLiveClient {
  readonly frames: LiveFrame[] = [];
  closed: { code: number; reason: string } | undefined;
  private next = 0;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.push(LiveFrame.parse(JSON.parse(String(data)))));
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on('error', () => {});
  }

  /** @throws Error with the HTTP status and body when the upgrade is refused */
  static async connect(httpUrl: string, options: ClientOptions = {}): Promise<TestLiveClient> {
    const socket = new WebSocket(`${httpUrl.replace(/^http/, 'ws')}/ws`, options);
    const client = new TestLiveClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => reject(new Error(`${response.statusCode} ${body}`)));
      });
      socket.once('error', reject);
    });
    return client;
  }

  /** Sends a request and returns its answer. */
  async ask(request: Body<LiveRequest>): Promise<LiveAnswer | LiveRefusal> {
    this.next += 1;
    const id = this.next;
    this.socket.send(JSON.stringify({ ...request, id }));
    return until(() => {
      if (this.closed) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
      return this.answers.find((answer) => answer.id === id);
    }, `an answer to ${request.op}`);
  }

  /** As `ask`. @throws Error when it is refused */
  async must(request: Body<LiveRequest>): Promise<LiveAnswer> {
    const answer = await this.ask(request);
    if ('error' in answer) throw new Error(JSON.stringify(answer.error));
    return answer;
  }

  /** The code with which a request is refused; undefined when it is not. */
  async refusal(request: Body<LiveRequest>): Promise<string | undefined> {
    const answer = await this.ask(request);
    return 'error' in answer ? answer.error.code : undefined;
  }

  get answers(): (LiveAnswer | LiveRefusal)[] {
    return this.frames.filter((frame): frame is LiveAnswer | LiveRefusal => 'id' in frame);
  }

  /** Snapshots and changes of a channel. */
  of(channel: string): (LiveSnapshot | LiveChange)[] {
    return this.frames.filter(
      (frame): frame is LiveSnapshot | LiveChange =>
        'channel' in frame && frame.channel === channel && frame.type !== 'ended',
    );
  }

  get ends(): LiveEnd[] {
    return this.frames.filter((frame): frame is LiveEnd => 'type' in frame && frame.type === 'ended');
  }

  async gone(): Promise<{ code: number; reason: string }> {
    return until(() => this.closed, 'the connection is closed');
  }

  close(): void {
    this.socket.terminate();
  }
}
