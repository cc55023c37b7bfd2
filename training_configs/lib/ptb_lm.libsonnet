// Language modelling as Zaremba et al. 2014 (https://arxiv.org/abs/1409.2329, section 4.1) did it
// on the Penn Treebank, with the encoder of your choice.
//
// The default is a short schedule on a small generated text. For their data and their schedule:
//
//     -o '{"train_data_path": "<ptb.train.txt>", "validation_data_path": "<ptb.valid.txt>",
//          "trainer.num_epochs": <full_epochs below>}'
local sizes = {
  small: {
    hidden_size: 200,
    steps: 20,
    dropout: 0.0,
    initial_bound: 0.1,
    gradient_norm: 5.0,
    decay_after_epoch: 4,
    decay: 1 / 2,
    full_epochs: 13,
    default_epochs: 13,
  },
  medium: {
    hidden_size: 650,
    steps: 35,
    dropout: 0.5,
    initial_bound: 0.05,
    gradient_norm: 5.0,
    decay_after_epoch: 6,
    decay: 1 / 1.2,
    full_epochs: 39,
    default_epochs: 8,
  },
  large: {
    hidden_size: 1500,
    steps: 35,
    dropout: 0.65,
    initial_bound: 0.04,
    gradient_norm: 10.0,
    decay_after_epoch: 14,
    decay: 1 / 1.15,
    full_epochs: 55,
    default_epochs: 2,
  },
};

function(size_name, encoder)
  local size = sizes[size_name];
  local loader = { type: 'token_stream', batch_size: 20, steps: size.steps };
  {
    dataset_reader: { type: 'token_stream' },
    train_data_path: 'fixtures/lm/train.txt',
    validation_data_path: 'fixtures/lm/valid.txt',
    datasets_for_vocab_creation: ['train'],
    // No padding and no second unknown word: the softmax is over the text's own words and <eos>.
    vocabulary: { oov_token: '<unk>', non_padded_namespaces: ['tokens'] },
    data_loader: loader,
    validation_data_loader: loader { single_row: true },
    model: {
      type: 'stream_language_model',
      text_field_embedder: {
        token_embedders: { tokens: { type: 'embedding', embedding_dim: size.hidden_size } },
      },
      contextualizer: {
        type: encoder,
        input_size: size.hidden_size,
        hidden_size: size.hidden_size,
        num_layers: 2,
        dropout: size.dropout,
        stateful: true,
      },
      dropout: size.dropout,
      initializer: {
        regexes: [['.*', { type: 'uniform', a: -size.initial_bound, b: size.initial_bound }]],
      },
    },
    trainer: {
      num_epochs: size.default_epochs,
      optimizer: { type: 'sgd', lr: 1.0 },
      learning_rate_scheduler: {
        type: 'multi_step',
        milestones: std.range(size.decay_after_epoch, size.full_epochs - 1),
        gamma: size.decay,
      },
      grad_norm: size.gradient_norm,
      validation_metric: '-perplexity',
      callbacks: [{ type: 'carried_state' }],
    },
  }
