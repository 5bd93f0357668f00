export {
  type Finding,
  isSilent,
  judgeDay,
  judgeReading,
  type Neighbours,
  type PlausibilityRule,
  type Production,
  powerShare,
} from './plausibility.js';
export { parseSites, type Site } from './sites.js';
export { highestSun, sunElevation } from './sun.js';
export { ProductionWatch, type WatchConfig } from './watch.js';
