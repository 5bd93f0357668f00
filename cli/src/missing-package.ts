import { GtxError } from '@gridtokenx/protocol';

/**
 * A gateway's installation leaves out what only the collector's side needs. What Node says of an import that is not
 * there becomes an error that tells so; any other error comes back as it is.
 */
export function explainMissingPackage(error: unknown): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND')
    return error;
  const name = /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
  if (name === undefined) return error;
  return new GtxError(
    'DEPENDENCY_MISSING',
    `this installation has no package ${name}, which the command needs: a gateway's package carries the commands agent, sim and profile; the others run from a full installation`,
    { package: name },
  );
}
