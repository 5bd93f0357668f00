export { PriceGuides, type PriceGuidesDeps, type PublishedGuide } from './guides.js';
export { readPriceGuideSettings } from './settings.js';
