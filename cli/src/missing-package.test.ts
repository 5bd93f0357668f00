import { GtxError } from '@gridtokenx/protocol';
import { expect, it } from 'vitest';
import { explainMissingPackage } from './missing-package.js';

it('explains an import that is not installed', () => {
  const error = Object.assign(
    new Error(
      "Cannot find package '@gridtokenx/chain' imported from /usr/lib/gridtokenx/cli/dist/commands/chain.js",
    ),
    { code: 'ERR_MODULE_NOT_FOUND' },
  );
  const explained = explainMissingPackage(error);
  expect(explained).toBeInstanceOf(GtxError);
  expect(explained).toMatchObject({ code: 'DEPENDENCY_MISSING', details: { package: '@gridtokenx/chain' } });
});

it.each([
  new Error('Cannot find package'),
  Object.assign(new Error("Cannot find module '/x/y.js'"), { code: 'ERR_MODULE_NOT_FOUND' }),
  new GtxError('NOT_FOUND', 'no such meter'),
  'text',
])('leaves %s alone', (error) => {
  expect(explainMissingPackage(error)).toBe(error);
});
