// Dependency parsing with the deep biaffine parser of Dozat and Manning 2016
// (https://arxiv.org/abs/1611.01734): AllenNLP's `dependency_parser.jsonnet` with its
// hyperparameters, save that the encoder has no highway connections, as in Levy et al. 2018: under
// an ablation they would leave a gate.
//
// Out of the box it reads a small treebank made from a grammar and trains for a short while. For
// the stock schedule, as the paper has it, add the overrides in `overrides/ud_parser_paper.json`;
// for another treebank override the data paths; for word vectors, the embedding's
// `pretrained_file`. README.md has the commands.

function(encoder) {
  dataset_reader: { type: 'universal_dependencies' },
  train_data_path: 'fixtures/treebank/train.conllu',
  validation_data_path: 'fixtures/treebank/dev.conllu',
  model: {
    type: 'biaffine_parser',
    text_field_embedder: {
      token_embedders: {
        tokens: { type: 'embedding', embedding_dim: 100, trainable: true, sparse: true },
      },
    },
    pos_tag_embedding: { embedding_dim: 100, vocab_namespace: 'pos', sparse: true },
    encoder: {
      type: encoder,
      input_size: 200,
      hidden_size: 400,
      num_layers: 3,
      recurrent_dropout_probability: 0.3,
      use_highway: false,
    },
    use_mst_decoding_for_validation: true,
    arc_representation_dim: 500,
    tag_representation_dim: 100,
    dropout: 0.3,
    input_dropout: 0.3,
    initializer: {
      regexes: [
        ['.*projection.*weight', { type: 'xavier_uniform' }],
        ['.*projection.*bias', { type: 'zero' }],
        ['.*tag_bilinear.*weight', { type: 'xavier_uniform' }],
        ['.*tag_bilinear.*bias', { type: 'zero' }],
      ],
    },
  },
  data_loader: { batch_sampler: { type: 'bucket', batch_size: 16 } },
  trainer: {
    num_epochs: 3,
    grad_norm: 5.0,
    validation_metric: '+LAS',
    optimizer: { type: 'dense_sparse_adam', betas: [0.9, 0.9] },
  },
}
