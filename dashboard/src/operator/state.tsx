import { t } from '../text/index.js';
import type { FleetState } from '../types.js';

export const STATES = ['online', 'silent', 'offline', 'never'] as const satisfies readonly FleetState[];

/** The outline of a state's sign around 0,0, as a path: told apart by its form as well as by its color. */
export function outlineOf(state: FleetState, size: number): string {
  const half = size / 2;
  switch (state) {
    case 'online':
      return circle(half);
    case 'silent':
      return `M0,${-half}L${half},${half * 0.8}L${-half},${half * 0.8}Z`;
    case 'offline':
      return `M${-half * 0.9},${-half * 0.9}h${size * 0.9}v${size * 0.9}h${-size * 0.9}Z`;
    case 'never':
      return circle(half * 0.8);
  }
}

const circle = (r: number): string => `M${-r},0a${r},${r} 0 1,1 ${2 * r},0a${r},${r} 0 1,1 ${-2 * r},0Z`;

export function StateShape({ state, size }: { state: FleetState; size: number }) {
  return <path class={`state ${state}`} d={outlineOf(state, size)} />;
}

/** The sign with its word. */
export function StateTag({ state }: { state: FleetState }) {
  return (
    <span class="statetag">
      <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
        <StateShape state={state} size={12} />
      </svg>
      {t(`fleet.${state}`)}
    </span>
  );
}
