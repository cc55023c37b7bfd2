(import 'lib/ptb_lm.libsonnet')('large', 'lstm_no_gates')
