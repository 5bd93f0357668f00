export { alertChannels } from './channels.js';
export { AlertDelivery, type AlertDeliveryDeps } from './delivery.js';
export { webhookSignature } from './webhook.js';
