(import 'lib/ptb_lm.libsonnet')('medium', 'lstm_no_gates')
