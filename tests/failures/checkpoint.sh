# Sourced: writes checkpoints of the fixture's model with zeros for weights.

# tensors: name, extents, bytes of each parameter
tensors() {
  local layer
  printf '%s\n' "model.embed_tokens.weight 96,32 12288" "model.norm.weight 32 128" "lm_head.weight 96,32 12288"
  for layer in 0 1; do
    printf "model.layers.$layer.%s\n" "input_layernorm.weight 32 128" "post_attention_layernorm.weight 32 128" \
      "self_attn.q_proj.weight 32,32 4096" "self_attn.k_proj.weight 16,32 2048" "self_attn.v_proj.weight 16,32 2048" \
      "self_attn.o_proj.weight 32,32 4096" "mlp.gate_proj.weight 64,32 8192" "mlp.up_proj.weight 64,32 8192" \
      "mlp.down_proj.weight 32,64 8192"
  done
}

# checkpoint FOLDER [SED]: SED changes the header, as "name [extents] begin end" lines became JSON
checkpoint() {
  local header="" name extents bytes begin=0 size
  mkdir -p "$1"; cp "$config" "$1/config.json"
  while read -r name extents bytes; do
    header+="\"$name\":{\"dtype\":\"F32\",\"shape\":[$extents],\"data_offsets\":[$begin,$((begin + bytes))]},"
    begin=$((begin + bytes))
  done < <(tensors)
  header=$(sed "${2:-}" <<<"{${header%,}}")
  size=$(printf '%016x' ${#header})
  { for i in 14 12 10 8 6 4 2 0; do printf "\\x${size:$i:2}"; done; printf '%s' "$header"; head -c $begin /dev/zero; } >"$1/model.safetensors"
}
