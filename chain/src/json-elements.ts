/**
 * Takes one array out of a JSON text that arrives in pieces: the text of each element as soon as it is complete, and
 * what is around them at the end. Memory grows with the longest element only.
 */
export class JsonElements {
  private inString = false;
  private escaped = false;
  /** For each open bracket: whether it is an array, and the last key of an object. */
  private readonly open: { array: boolean; key: string | undefined }[] = [];
  private lastString = '';
  private element = '';
  private envelope = '';

  /** @param path keys of the objects that lead from the root to the array. */
  constructor(private readonly path: readonly string[]) {}

  /** Takes the next piece. Returns the elements that are complete with it, as JSON. */
  push(text: string): string[] {
    const found: string[] = [];
    for (let at = 0; at < text.length; at++) {
      const inside = this.isInside();
      const char = text[at] as string;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (char === '\\') this.escaped = true;
        else if (char === '"') this.inString = false;
        if (!inside && this.inString) this.lastString += char;
        this.keep(char, inside);
        continue;
      }
      if (char === '"') {
        this.inString = true;
        this.lastString = '';
      } else if (char === '{' || char === '[') {
        this.keep(char, inside);
        this.open.push({ array: char === '[', key: undefined });
        continue;
      } else if (char === '}' || char === ']') {
        const ends = inside && this.open.length === this.path.length + 1;
        if (ends && this.element.trim() !== '') found.push(this.element);
        if (ends) this.element = '';
        this.open.pop();
        this.keep(char, this.isInside());
        continue;
      } else if (char === ':') {
        const top = this.open.at(-1);
        if (top && !top.array && !inside) top.key = this.lastString;
      } else if (char === ',' && inside && this.open.length === this.path.length + 1) {
        found.push(this.element);
        this.element = '';
        continue;
      }
      this.keep(char, inside);
    }
    return found;
  }

  /** Everything but the elements: JSON with an empty array, once the text is complete. */
  rest(): string {
    return this.envelope;
  }

  private keep(char: string, inside: boolean): void {
    if (inside) this.element += char;
    else this.envelope += char;
  }

  private isInside(): boolean {
    const { path, open } = this;
    if (open.length <= path.length || open[path.length]?.array !== true) return false;
    return path.every((key, index) => open[index]?.key === key);
  }
}
