(import 'lib/ptb_lm.libsonnet')('small', 'lstm_no_gates')
