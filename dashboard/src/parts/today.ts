import { useEffect, useState } from 'preact/hooks';
import { type Bounds, boundsOf } from '../history.js';

const LOOK_EVERY_MS = 10_000;

/** The local day that it is, also after midnight. */
export function useToday(): Bounds {
  const [today, setToday] = useState(() => boundsOf('day', new Date()));
  useEffect(() => {
    const timer = setInterval(() => {
      if (Date.now() >= today.to.getTime()) setToday(boundsOf('day', new Date()));
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [today]);
  return today;
}
