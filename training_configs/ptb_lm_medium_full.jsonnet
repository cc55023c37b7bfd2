(import 'lib/ptb_lm.libsonnet')('medium', 'lstm_full')
