import type { Logger } from 'pino';
import type { CollectorConfig } from '../config.js';
import { EmailChannel } from './email.js';
import { LogChannel } from './log.js';
import type { AlertChannel } from './notice.js';
import { WebhookChannel } from './webhook.js';

/** The channels that the configuration names. */
export function alertChannels(
  config: CollectorConfig,
  { logger, now, version }: { logger: Logger; now: () => number; version: string },
): AlertChannel[] {
  const channels: AlertChannel[] = [new LogChannel(logger, config.alertLogSeverity)];
  const { alertWebhookUrl, alertWebhookSecret, alertSmtpUrl, alertMailFrom, alertMailTo } = config;
  if (alertWebhookUrl !== undefined && alertWebhookSecret !== undefined) {
    channels.push(
      new WebhookChannel({
        url: alertWebhookUrl,
        secret: alertWebhookSecret,
        minimumSeverity: config.alertWebhookSeverity,
        now,
        version,
      }),
    );
  }
  if (alertSmtpUrl !== undefined && alertMailFrom !== undefined && alertMailTo !== undefined) {
    channels.push(
      new EmailChannel({
        url: alertSmtpUrl,
        username: config.alertSmtpUsername,
        password: config.alertSmtpPassword,
        caFile: config.alertSmtpCaFile,
        from: alertMailFrom,
        to: alertMailTo.split(',').map((part) => part.trim()),
        minimumSeverity: config.alertMailSeverity,
        publicUrl: config.publicUrl,
        logger,
      }),
    );
  }
  return channels;
}
