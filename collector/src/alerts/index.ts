export { alertChannels } from './channels.js';
export { AlertDelivery, type AlertDeliveryDeps } from './delivery.js';
export { AlertPruning, type AlertPruningDeps } from './pruning.js';
export { webhookSignature } from './webhook.js';
