import { useEffect, useState } from 'preact/hooks';

/** What is drawn on a canvas does not change its colors by itself. */
const DARK = globalThis.matchMedia('(prefers-color-scheme: dark)');

/** Whether dark colors are wanted now. */
export function useDark(): boolean {
  const [dark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const listen = () => setDark(DARK.matches);
    DARK.addEventListener('change', listen);
    return () => DARK.removeEventListener('change', listen);
  }, []);
  return dark;
}

/** A color as the canvas takes it: a custom property may still hold both the light and the dark one. */
export function colorOf(name: string, within: HTMLElement): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  within.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
