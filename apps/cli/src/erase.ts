import type { ErasedAccount, ErasedImage } from '@wombat/engine'
import { noSuchAccount } from './arguments.ts'
import type { Consent } from './confirm.ts'
import { count, plural } from './format.ts'
import type { OperatorDesk } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

/** Undefined when there is no such image. */
export async function eraseOne(
  { operations, stop }: OperatorDesk,
  imageId: string,
  consent: Consent,
): Promise<Outcome | undefined> {
  if ((await operations.showImage(imageId)) === undefined) {
    return undefined
  }
  await consent.ask(`Erase the image ${imageId} for good?`, stop)
  const erased = await operations.eraseImage(imageId)
  return erased && { json: { imageId, ...toImageJson(erased) }, text: inWords(imageId, erased) }
}

function toImageJson({ done, isPromptErased }: ErasedImage) {
  return { done, promptErased: isPromptErased }
}

function inWords(imageId: string, { done, isPromptErased }: ErasedImage): string {
  const what = {
    refunded: `The image ${imageId} was still to be made: it is called off, and its credits were given back.`,
    removed: `The image ${imageId} is removed: its address answers 410 from now on. A running server deletes its bytes within a minute.`,
    forgotten: `The image ${imageId} had no bytes any more.`,
  }[done]
  const prompt = isPromptErased
    ? 'The prompt and the URLs of reference images are erased.'
    : 'The prompt stays, since another image of the same request needs it.'
  return `${what}\n${prompt}`
}

export interface EraseAccountOptions {
  readonly accountId: string
  readonly isToBeDisabled: boolean
  readonly consent: Consent
}

export async function eraseAll(desk: OperatorDesk, terminal: Terminal, options: EraseAccountOptions): Promise<Outcome> {
  const { operations, stop } = desk
  const { accountId, isToBeDisabled, consent } = options
  const found = await operations.showAccount(accountId)
  if (found === undefined) {
    throw noSuchAccount(accountId)
  }
  const { name } = found.account
  await consent.ask(`Erase all images of the account ${accountId} (${name}), with their prompts, for good?`, stop)
  const erased = await operations.eraseAccount(accountId, {
    isToBeDisabled,
    stop,
    onBatch: (images) => terminal.note(`${count(images)} so far`),
  })
  if (erased === undefined) {
    throw noSuchAccount(accountId)
  }
  const { counts, isComplete, isDisabled } = erased
  return {
    json: { accountId, ...counts, complete: isComplete, disabled: isDisabled },
    text: accountInWords(`${accountId} (${name})`, erased),
  }
}

function accountInWords(account: string, { counts, isComplete, isDisabled }: ErasedAccount): string {
  const { refunded, removed, forgotten } = counts
  const images = (value: number) => plural(value, 'image was', 'images were')
  const lines = [
    `${isComplete ? 'Erased' : 'Broken off, run it again; so far erased'}, of the account ${account}:`,
    `  ${images(refunded)} still to be made: called off, and the credits were given back`,
    `  ${images(removed)} removed: their addresses answer 410 from now on`,
    `  ${plural(forgotten, 'image', 'images')} had no bytes any more`,
    'Prompts and URLs of reference images are erased with the images. The ledger, the account with its name, and its keys stay.',
  ]
  if (removed > 0) {
    lines.push('A running server begins to delete the bytes within a minute.')
  }
  if (!isDisabled) {
    lines.push('The account is active, so what it ordered meanwhile may be left: run it again with --disable.')
  }
  return lines.join('\n')
}
