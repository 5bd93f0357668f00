import { fitted } from './colours.js';

/**
 * Lines that run through a terminal above a few that stay at its bottom and are drawn anew. Nothing is moved but the
 * cursor up to where the panel begins, so that what ran through can be scrolled back to.
 */
export class Panel {
  #drawn = 0;
  #lines: readonly string[] = [];

  /**
   * @param write puts text on the terminal
   * @param columns how wide it is at the moment
   */
  constructor(
    private readonly write: (text: string) => void,
    private readonly columns: () => number,
  ) {}

  /** A line of its own above the panel. */
  line(text: string): void {
    this.write(`${this.#erased()}${text}\n${this.#picture()}`);
  }

  /** What the panel shows from now on. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.write(this.#erased() + this.#picture());
  }

  /** The panel stays as it is; what comes next is below. */
  end(): void {
    this.#drawn = 0;
    this.#lines = [];
  }

  /** Up to where the panel began, and everything below it cleared (ECMA-48 8.3.22 CUU, 8.3.39 ED). */
  #erased(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r\u001b[J`;
  }

  #picture(): string {
    const columns = this.columns();
    // One row each: a line that wraps would be left behind by the next picture.
    const rows = this.#lines.map((line) => fitted(line, columns));
    this.#drawn = rows.length;
    return rows.map((row) => `${row}\n`).join('');
  }
}
