// One layer: AllenNLP's own encoder has no independent directions.
(import 'lib/lm.libsonnet').bidirectional('lstm', num_layers=1)
