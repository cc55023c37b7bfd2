// Dependency parsing with the deep biaffine parser of Dozat and Manning 2016
// (https://arxiv.org/abs/1611.01734): AllenNLP's `dependency_parser.jsonnet` with its
// hyperparameters, save that the encoder has no highway connections, as in Levy et al. 2018: under
// an ablation they would leave a gate.
//
// Out of the box it reads a treebank made by a script, and trains for a short while, in small
// batches, on word embeddings of its own. For a treebank in CoNLL-U and the stock schedule:
//
//     -o '{"train_data_path": "<train>", "validation_data_path": "<dev>",
//          "trainer.num_epochs": 50, "data_loader.batch_sampler.batch_size": 128}'
//
// and for word vectors of 100 dimensions, as the stock config has them, add to these overrides
//
//     "model.text_field_embedder.token_embedders.tokens.pretrained_file": "<glove.6B.100d.txt.gz>"

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
    // Of the stock config's initializers only these find a parameter in this model; the encoder
    // initialises itself, orthogonally block by block, with 1 as the bias of the forget gate.
    initializer: {
      regexes: [
        ['.*tag_bilinear.*weight', { type: 'xavier_uniform' }],
        ['.*tag_bilinear.*bias', { type: 'zero' }],
      ],
    },
  },
  data_loader: { batch_sampler: { type: 'bucket', batch_size: 16 } },
  trainer: {
    num_epochs: 8,
    patience: 50,
    grad_norm: 5.0,
    validation_metric: '+LAS',
    optimizer: { type: 'dense_sparse_adam', betas: [0.9, 0.9] },
  },
}
