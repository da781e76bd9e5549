/**
 * What transformers.js itself makes of texts and conversations: `tokenized.mjs FOLDER REQUESTS`, with the requests as JSON; prints JSON.
 * Owns nothing but the calls.
 */

import { basename, dirname } from 'node:path';
import { AutoTokenizer, env } from '@huggingface/transformers';

const [folder = '', requests = '[]'] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const tokenizer = await AutoTokenizer.from_pretrained(basename(folder));

const answers = JSON.parse(requests).map((/** @type {any} */ request) => {
  if (request.messages) {
    const options = { chat_template: request.template ?? null, add_generation_prompt: request.generate };
    const text = tokenizer.apply_chat_template(request.messages, { ...options, tokenize: false });
    const ids = tokenizer.apply_chat_template(request.messages, {
      ...options,
      tokenize: true,
      return_tensor: false,
      return_dict: false,
    });
    return { text, ids };
  }
  tokenizer.padding_side = request.padding_side;
  const { input_ids, attention_mask } = tokenizer(request.texts, {
    padding: request.padding,
    truncation: request.truncation,
    max_length: request.max_length ?? null,
    return_tensor: false,
  });
  return { input_ids, attention_mask };
});
process.stdout.write(JSON.stringify(answers));
