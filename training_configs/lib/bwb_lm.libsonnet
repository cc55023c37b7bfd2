// Language modelling on the billion-word benchmark: LSTM-2048-512 of Jozefowicz et al. 2016
// (https://arxiv.org/abs/1602.02410), with the settings of the code that its first author
// published (https://github.com/rafaljozefowicz/lm): one layer of 2048 cells whose hidden state is
// projected to 512 before it recurs, dropout 0.1, sampled softmax, Adagrad.
//
// The default is a small generated text in shards. The benchmark's vocabulary has 793,471 words,
// counting sentence boundaries; the number of samples has to be smaller than the vocabulary. For it:
//
//     -o '{"train_data_path": "<training-monolingual.tokenized.shuffled>/*",
//          "validation_data_path": "<heldout-monolingual.tokenized.shuffled>/news.en.heldout-*",
//          "vocabulary": {"type": "from_files", "directory": "<its vocabulary>"},
//          "model.num_samples": 8192, "trainer.num_epochs": 5}'

// Theirs is the loss of 20 steps, summed; `language_model` averages. Adagrad makes the same steps
// if the norm is divided by 20 and the initial accumulator by its square.
local steps = 20;

function(contextualizer) {
  dataset_reader: {
    type: 'sharded',
    base_reader: {
      type: 'simple_language_modeling',
      tokenizer: 'just_spaces',
      token_indexers: { tokens: { type: 'single_id' } },
      start_tokens: ['<S>'],
      end_tokens: ['</S>'],
    },
  },
  train_data_path: 'fixtures/lm/shards/train-*',
  validation_data_path: 'fixtures/lm/valid*',
  datasets_for_vocab_creation: ['train'],
  // Shards are read a piece at a time. Only training samples the softmax: in validation each word's
  // scores for the whole vocabulary take 3 MB, so batches are small there.
  data_loader: {
    batch_sampler: { type: 'bucket', batch_size: 128 },
    max_instances_in_memory: 12800,
  },
  validation_data_loader: { batch_size: 8, max_instances_in_memory: 12800 },
  model: {
    type: 'language_model',
    text_field_embedder: {
      token_embedders: { tokens: { type: 'embedding', embedding_dim: 512, sparse: true } },
    },
    contextualizer: contextualizer,
    dropout: 0.1,
    num_samples: 256,
    sparse_embeddings: true,
  },
  trainer: {
    num_epochs: 3,
    optimizer: {
      type: 'adagrad',
      lr: 0.2,
      initial_accumulator_value: 1.0 / (steps * steps),
    },
    grad_norm: 10.0 / steps,
    validation_metric: '-perplexity',
  },
}
